-- Take away what was laid out.
DELETE FROM temp.arrived;
