"""Mercury UHF modules: what a status word means, and which ones are the module's warnings about itself.

Source: Mercury API, tmr_status.h.
"""

from collections.abc import Mapping

OK = 0x0000
UNAVAILABLE = 0x0101
"""Also every command but a few while the module is still in its bootloader."""
UNIMPLEMENTED, UNIMPLEMENTED_FEATURE = 0x0102, 0x0109
NO_TAGS = 0x0400
TAG_BUFFER_FULL = 0x0601
NOT_SUPPORTED = frozenset({UNAVAILABLE, UNIMPLEMENTED, UNIMPLEMENTED_FEATURE})

NAMES: Mapping[int, str] = {
    0x0100: "wrong_number_of_data",
    UNAVAILABLE: "command_unavailable",
    UNIMPLEMENTED: "command_not_supported",
    0x0103: "power_too_high",
    0x0104: "invalid_frequency",
    0x0105: "invalid_parameter",
    0x0106: "power_too_low",
    UNIMPLEMENTED_FEATURE: "feature_not_supported",
    0x010A: "invalid_baud_rate",
    0x010B: "invalid_region",
    0x010C: "invalid_license_key",
    0x0200: "firmware_damaged",
    NO_TAGS: "no_tags_found",
    0x0401: "no_protocol_set",
    0x0402: "invalid_protocol",
    0x0403: "written_but_not_locked",
    0x0404: "no_data_read",
    0x0405: "radio_off_is_the_region_set",
    0x0406: "write_failed",
    0x0407: "not_for_this_protocol",
    0x0408: "invalid_write_data",
    0x0409: "invalid_address",
    0x040A: "general_tag_error",
    0x040B: "data_too_large",
    0x0424: "memory_locked",
    0x042B: "tag_short_of_power",
    0x0500: "frequency_out_of_range",
    0x0501: "channel_occupied",
    0x0502: "transmitter_is_on",
    0x0503: "antenna_not_connected",
    0x0504: "too_hot",
    0x0505: "high_return_loss",
    0x0507: "invalid_antenna_configuration",
    0x0509: "supply_voltage_out_of_range",
    TAG_BUFFER_FULL: "tag_buffer_full",
    0x7F00: "internal_error",
    0x7F01: "internal_assertion_failed",
}
ALARMS: Mapping[int, str] = {
    0x0503: "no antenna where one is configured; check its cable, or take it out of `antennas`",
    0x0504: "too hot, so it reads little or nothing; lower power_dbm or cool it",
    0x0505: "too much power comes back from an antenna; check antenna and cable, and that they are made for the region",
    0x0509: "the supply voltage is out of range; check the power supply",
}
"""By status: what the module complains of in the middle of reading, and what to do."""


def name(status: int) -> str:
    """The status in one word; `unknown` for what the vendor does not list."""
    return NAMES.get(status, "unknown")
