"""Distorted and drawn training images, and pictures that are not digits."""
