"""A sheet of paper in a photo: its outline found, and cut out."""
