"""YAML only: settings, trainer profiles, quantization recipes. This file lets them be found as package data."""
