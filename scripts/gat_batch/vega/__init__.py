"""Figures of Vega-Lite.

In: specifications. Out: SVG files, and the program that draws figures in a browser.
"""
