"""More than one machine: whole slides on Dask and Zarr, training on several processes by MPI.

The engines are those of the field; what is here only feeds them. Two optional extras bring them:
``python -m pip install "minunet[scale]"`` for Dask and Zarr, ``"minunet[mpi]"`` for MPI.
"""

from minunet.scale.blocks import predict
from minunet.scale.seams import label_cells
