-- What rises with every change of the settings and of the rules.
SELECT generation FROM store;
