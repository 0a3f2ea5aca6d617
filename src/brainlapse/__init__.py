"""Given a person's brain MRI today and a number of years, generate the MRI of then."""

__version__ = "0.1.0"
