"""The Debian 13 base image: what hosts boot, databases run from and functions run in."""

from localcloud.image.builder import base_image, image_path

__all__ = ["base_image", "image_path"]
