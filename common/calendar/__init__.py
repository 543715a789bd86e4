"""What the calendar of a place says of a day, the same for everybody there: public holidays and days of sales."""
