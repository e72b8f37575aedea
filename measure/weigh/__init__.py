"""The scales: layers, the files they leave, what is in them, and an image as its OCI layout describes it.

May be imported by all that stands above; knows neither engine nor steps: any image goes through here.
Imports base/.
"""
