"""What the notebooks of the course use: checked exercises, pictures of small arrays, the library's own source.

from minunet import course

course.check("conv2d_backward", my_conv2d_backward)     # shapes, a tiny case, a gradient check, a hint
course.show_source(conv2d_forward)                      # the code that runs, not a copy of it
course.draw(axes, array, title)                         # numbers in coloured squares
"""

from minunet.course.checking import check
from minunet.course.pictures import draw, draw_image
from minunet.course.source import show_source
