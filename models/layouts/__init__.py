"""Every known meaning of a detector's outputs, by name. Worker and short-lived processes only."""

from models.layouts.base import Array, Frame, Layout, Outputs, Raw
from models.layouts.classify import CLASSIFY
from models.layouts.detr import DETR
from models.layouts.grid import GRID
from models.layouts.plain import PLAIN
from models.layouts.ssd import SSD
from models.layouts.yolo import YOLO

LAYOUTS = {layout.name: layout for layout in (*YOLO, *GRID, *DETR, *SSD, *PLAIN, *CLASSIFY)}

__all__ = ["LAYOUTS", "Array", "Frame", "Layout", "Outputs", "Raw"]
