from dctload import analysis as analysis
from dctload import dali as dali
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
from dctload.decoding import Decoder as Decoder
from dctload.decoding import decode as decode
from dctload.decoding import decode_many as decode_many
from dctload.decoding import read_info as read_info
from dctload.errors import CorruptJPEGError as CorruptJPEGError
from dctload.errors import DctloadError as DctloadError
from dctload.errors import LimitError as LimitError
from dctload.errors import TooManyErrors as TooManyErrors
from dctload.errors import TooSmallError as TooSmallError
from dctload.errors import UnsupportedJPEGError as UnsupportedJPEGError
from dctload.image import DctImage as DctImage
from dctload.image import from_rgb as from_rgb
from dctload.info import JpegInfo as JpegInfo
from dctload.info import Limits as Limits

__version__: str
