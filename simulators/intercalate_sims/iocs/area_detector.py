"""The PVs of a stock areaDetector camera and HDF5 plugin, as tables.

Only what the simulated detector gives a meaning to does anything; the rest is there, with its usual
default, so that a stock client connects to all of it.
"""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from collections.abc import Awaitable, Callable
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, pvproperty

from intercalate.cycler_server.text_pv import from_wire, text_keywords, to_wire

TEXT_BYTES = 1024

NO_YES = ("No", "Yes")
OFF_ON = ("Disable", "Enable")

BASE: dict[str, Any] = {
    "ArrayCounter": 0,
    "ArrayRate_RBV": 0.0,
    "AsynIO": 0,
    "NDAttributesFile": "",
    "PoolAllocBuffers": 0,
    "PoolFreeBuffers": 0,
    "PoolMaxBuffers": 0,
    "PoolMaxMem": 0.0,
    "PoolUsedBuffers": 0,
    "PoolUsedMem": 0.0,
}
"""Suffix and default. A suffix with `_RBV` is read-only; one without has a readback of that name
beside it. A tuple of strings is an enum, its first member the default; bytes are an EPICS string of at
most 39 characters, a str is a CHAR waveform."""

CAMERA: dict[str, Any] = BASE | {
    "Acquire": ("Done", "Acquire"),
    "AcquirePeriod": 0.0,
    "AcquireTime": 60.0,
    "ArrayCallbacks": OFF_ON,
    "ArraySizeX_RBV": 0,
    "ArraySizeY_RBV": 0,
    "ArraySizeZ_RBV": 0,
    "ArraySize_RBV": 0,
    "BinX": 1,
    "BinY": 1,
    "ColorMode": ("Mono",),
    "DataType": ("UInt32",),
    "DataType_RBV.DISA": 0,
    "DetectorState_RBV": ("Idle", "Acquire", "Readout", "Correct", "Saving", "Aborting", "Error"),
    "FrameType": ("Normal", "Background", "FlatField"),
    "Gain": 1.0,
    "ImageMode": ("Single", "Multiple", "Continuous"),
    "Manufacturer_RBV": b"intercalate",
    "MaxSizeX_RBV": 0,
    "MaxSizeY_RBV": 0,
    "MinX": 0,
    "MinY": 0,
    "Model_RBV": b"simulated flat panel",
    "NumExposures": 1,
    "NumExposuresCounter_RBV": 0,
    "NumImages": 1,
    "NumImagesCounter_RBV": 0,
    "PortName_RBV": b"CAM1",
    "ReadStatus": 0,
    "ReverseX": NO_YES,
    "ReverseY": NO_YES,
    "ShutterCloseDelay": 0.0,
    "ShutterCloseEPICS": 0,
    "ShutterControl": ("Close", "Open"),
    "ShutterControlEPICS": 0,
    "ShutterFanout": 0,
    "ShutterMode": ("None", "EPICS PV", "Detector output"),
    "ShutterOpenDelay": 0.0,
    "ShutterOpenEPICS": 0,
    "ShutterStatusEPICS_RBV": ("Closed", "Open"),
    "ShutterStatus_RBV": ("Closed", "Open"),
    "SizeX": 0,
    "SizeY": 0,
    "StatusMessage_RBV": "",
    "StringFromServer_RBV": "",
    "StringToServer_RBV": "",
    "Temperature": 25.0,
    "TemperatureActual": 25.0,
    "TimeRemaining_RBV": 0.0,
    "TriggerMode": ("Internal", "External"),
}

HDF5_PLUGIN: dict[str, Any] = BASE | {
    "ArraySize0_RBV": 0,
    "ArraySize1_RBV": 0,
    "ArraySize2_RBV": 1,
    "AutoIncrement": NO_YES,
    "AutoSave": NO_YES,
    "BayerPattern_RBV": ("RGGB",),
    "BlockingCallbacks": NO_YES,
    "BoundaryAlign": 0,
    "BoundaryThreshold": 65536,
    "Capture": ("Done", "Capture"),
    "ColorMode_RBV": ("Mono",),
    "Compression": ("None", "N-bit", "szip", "zlib", "Blosc", "BSLZ4"),
    "CreateDirectory": 0,
    "DataBitsOffset": 0,
    "DataType_RBV": ("UInt32",),
    "DeleteDriverFile": NO_YES,
    "Dim0SA": 0,
    "Dim1SA": 0,
    "Dim2SA": 0,
    "Dimensions_RBV": 0,
    "DroppedArrays": 0,
    "EnableCallbacks": OFF_ON,
    "ExtraDimNameN_RBV": b"",
    "ExtraDimNameX_RBV": b"",
    "ExtraDimNameY_RBV": b"",
    "ExtraDimSizeN": 1,
    "ExtraDimSizeX": 1,
    "ExtraDimSizeY": 1,
    "FileFormat": ("HDF5",),
    "FileName": "",
    "FileNumber": 0,
    "FileNumber_Sync": 0,
    "FileNumber_write": 0,
    "FilePath": "",
    "FilePathExists_RBV": NO_YES,
    "FileTemplate": "%s%s_%6.6d.h5",
    "FileWriteMode": ("Single", "Capture", "Stream"),
    "FullFileName_RBV": "",
    "IOSpeed": 0.0,
    "MinCallbackTime": 0.0,
    "NDArrayAddress": 0,
    "NDArrayPort": b"CAM1",
    "NDimensions_RBV": 2,
    "NumCapture": 0,
    "NumCaptured_RBV": 0,
    "NumColChunks": 0,
    "NumDataBits": 0,
    "NumExtraDims": 0,
    "NumFramesChunks": 1,
    "NumFramesFlush": 1,
    "NumRowChunks": 0,
    "PluginType_RBV": b"NDFileHDF5",
    "PortName_RBV": b"HDF1",
    "QueueFree": 20,
    "QueueFreeLow": 0,
    "QueueSize": 20,
    "QueueUse": 0.0,
    "QueueUseHIGH": 0.0,
    "QueueUseHIHI": 0.0,
    "ReadFile": ("Done", "Read"),
    "RunTime": 0.0,
    "SWMRActive_RBV": ("Off", "Active"),
    "SWMRMode": ("Off", "On"),
    "SZipNumPixels": 16,
    "StoreAttr": NO_YES,
    "StorePerform": NO_YES,
    "TimeStamp_RBV": 0.0,
    "UniqueId_RBV": 0,
    "WriteFile": ("Done", "Write"),
    "WriteMessage": "",
    "WriteStatus": ("Write OK", "Write error"),
    "ZLevel": 0,
}

WITHOUT_READBACK = frozenset(
    {
        "AsynIO", "Dim0SA", "Dim1SA", "Dim2SA", "FileNumber_Sync", "FileNumber_write", "IOSpeed",
        "NDAttributesFile", "PoolAllocBuffers", "PoolFreeBuffers", "PoolMaxBuffers", "PoolMaxMem",
        "PoolUsedBuffers", "PoolUsedMem", "QueueFree", "QueueFreeLow", "QueueUse", "QueueUseHIGH",
        "QueueUseHIHI", "ReadStatus", "RunTime", "ShutterCloseEPICS", "ShutterControlEPICS",
        "ShutterFanout", "ShutterOpenEPICS", "TemperatureActual", "WriteMessage", "WriteStatus",
    }
)  # fmt: skip

Hook = Callable[[str, Any], Awaitable[Any]]


def _keywords(default: Any) -> dict[str, Any]:
    match default:
        case tuple():
            return {"value": 0, "dtype": ChannelType.ENUM, "enum_strings": list(default)}
        case float():
            return {"value": default, "precision": 6}
        case bytes():
            return {"value": default.decode(), "dtype": ChannelType.STRING}
        case str():
            return text_keywords(TEXT_BYTES) | {"value": to_wire(default, TEXT_BYTES)}
        case _:
            return {"value": default, "dtype": ChannelType.LONG}


class TableGroup(PVGroup):
    """PVs made from a table; a put goes to the hook of its suffix, then to the readback."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.hooks: dict[str, Hook] = {}

    def __getitem__(self, suffix: str) -> Any:
        return self.pvdb[self.prefix + suffix]

    async def put_through(self, suffix: str, value: Any) -> Any:
        """Value that a put of `value` leads to."""
        if (hook := self.hooks.get(suffix)) is not None:
            value = await hook(suffix, value)
        readback = self.pvdb.get(f"{self.prefix}{suffix}_RBV")
        if readback is not None:
            await readback.write(value, verify_value=False)
        return value

    async def show(self, **values: Any) -> None:
        """Set PVs and their readbacks, without calling hooks."""
        for suffix, value in values.items():
            is_text = self[suffix].data_type is ChannelType.CHAR
            content = to_wire(value, TEXT_BYTES) if is_text else value
            for name in (suffix, f"{suffix}_RBV"):
                if (pv := self.pvdb.get(self.prefix + name)) is not None:
                    await pv.write(content, verify_value=False)

    def text(self, suffix: str) -> str:
        """Text of a CHAR waveform."""
        return from_wire(self[suffix].value)


def _putter(suffix: str) -> Callable[..., Awaitable[Any]]:
    async def put(group: TableGroup, instance: Any, value: Any) -> Any:
        return await group.put_through(suffix, value)

    return put


def table_group(name: str, table: dict[str, Any]) -> type[TableGroup]:
    """Class of a `TableGroup` that serves the PVs of `table`."""
    members: dict[str, Any] = {}
    for suffix, default in table.items():
        attribute = "pv_" + suffix.replace(".", "_").lower()
        if "_RBV" in suffix or suffix.startswith("Pool"):
            members[attribute] = pvproperty(name=suffix, read_only=True, **_keywords(default))
            continue
        members[attribute] = pvproperty(name=suffix, put=_putter(suffix), **_keywords(default))
        if suffix not in WITHOUT_READBACK:
            members[attribute + "_rbv"] = pvproperty(
                name=f"{suffix}_RBV", read_only=True, **_keywords(default)
            )
    return type(name, (TableGroup,), members)


CameraPVs = table_group("CameraPVs", CAMERA)
HDF5PluginPVs = table_group("HDF5PluginPVs", HDF5_PLUGIN)
