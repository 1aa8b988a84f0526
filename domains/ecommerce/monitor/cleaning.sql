-- What cleaning made of the lines: every line has one kind, and the values add up
SELECT * FROM cleaning
