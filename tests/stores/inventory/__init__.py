"""Tests of the inventory door: real reports in a temporary folder."""
