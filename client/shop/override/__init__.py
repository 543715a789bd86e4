"""What a person says to expect in place of a forecast: kept with author and reason, applied, and scored afterwards."""
