from dctload import data as data
from dctload import errors as errors
from dctload import frequencies as frequencies
from dctload import models as models
from dctload import training as training
from dctload import transforms as transforms
from dctload.data import DataLoader as DataLoader
from dctload.data import Files as Files
from dctload.data import ImageFolder as ImageFolder
from dctload.data import TarShards as TarShards
from dctload.errors import CorruptJPEGError as CorruptJPEGError
from dctload.errors import DctloadError as DctloadError
from dctload.errors import LimitError as LimitError
from dctload.errors import TooManyErrors as TooManyErrors
from dctload.errors import UnsupportedJPEGError as UnsupportedJPEGError
from dctload.image import DctImage as DctImage
from dctload.image import Decoder as Decoder
from dctload.image import JpegInfo as JpegInfo
from dctload.image import Limits as Limits
from dctload.image import decode as decode
from dctload.image import decode_many as decode_many
from dctload.image import from_rgb as from_rgb
from dctload.image import read_info as read_info

__version__: str
