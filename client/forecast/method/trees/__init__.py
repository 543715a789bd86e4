"""Gradient boosted trees: what one gets from the same data by the method that wins forecasting competitions.

`example` lays the past out as rows, `demand` forecasts amounts from them, `purchase` forecasts whether there
will be any, and `tree` is the only file that knows LightGBM.
"""
