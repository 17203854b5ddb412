"""Decides, never acts: policy gates and the catalogue of law they rest on."""
