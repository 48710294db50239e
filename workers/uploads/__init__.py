"""Empties the spool: files go to their stores, in parts while they grow where the store takes parts."""
