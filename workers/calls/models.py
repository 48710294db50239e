"""The settings of a call, as call backends know them (CallSettingsRequest), whole: every documented field is checked.

What belongs to the call itself and not to what is made of it (cameras, ringing, access) is taken and has no effect.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, field_validator

from egress.protocol.encoding import Quality
from egress.protocol.recordings import LayoutSettings
from workers.calls.pages import check_page_url
from workers.calls.style_sheets import check_form
from workers.sentences import At

Mode = Literal["available", "disabled", "auto-on"]
"""``available`` waits for a message, ``disabled`` refuses it, ``auto-on`` starts with the first participant."""

LANGUAGES = (
    *("auto", "en", "fr", "es", "de", "it", "nl", "pt", "pl", "ca", "cs", "da", "el", "fi", "id", "ja", "ru", "sv"),
    *("ta", "th", "tr", "hu", "ro", "zh", "ar", "tl", "he", "hi", "hr", "ko", "ms", "no", "uk", "bg", "et", "sl", "sk"),
)
"""Languages that transcription may be told, as documented."""


class Part(BaseModel):
    """A part of the settings. Every field has a default, so that what is said may be any part of the whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


def _documented_layout(value: LayoutSettings | None) -> LayoutSettings | None:
    """The layout of something that is not made: a name that is known, whatever pages and options it has."""
    from layouts.options import LayoutError, check_layout

    if value is not None and value.name != "custom":
        try:
            check_layout(value.name, {})
        except LayoutError as error:
            raise At(error.field.removeprefix("layout."), error.reason) from None
    return value


class RecordSettings(Part):
    """RecordSettingsRequest: one composite recording of everybody."""

    mode: Mode = "available"
    """``auto-on`` starts with the first participant and stops when all have gone; ``disabled`` refuses every start."""
    audio_only: bool = False
    """No pictures, whatever ``quality`` says."""
    quality: Quality = Field(default=Quality.P720, strict=False)
    layout: LayoutSettings = LayoutSettings()

    @field_validator("layout")
    @classmethod
    def _layout(cls, value: LayoutSettings) -> LayoutSettings:
        from layouts.options import LayoutError, check_layout

        if value.external_app_url:
            try:
                check_page_url(value.external_app_url)
            except ValueError as error:
                raise At("external_app_url", str(error)) from None
            # What the app makes of its layouts and options is its own.
            return value
        check_form(value)
        try:
            check_layout(value.name, value.options)
        except LayoutError as error:
            raise At(error.field.removeprefix("layout."), error.reason) from None
        return value

    @property
    def effective_quality(self) -> Quality:
        return Quality.AUDIO_ONLY if self.audio_only else self.quality


class IndividualRecordingSettings(Part):
    """IndividualRecordingSettingsRequest."""

    mode: Mode = "available"


class RawRecordingSettings(Part):
    """RawRecordingSettingsRequest."""

    mode: Mode = "available"


class FrameRecordingSettings(Part):
    """FrameRecordingSettingsRequest."""

    mode: Mode = "available"
    capture_interval_in_seconds: int = Field(default=2, ge=2, le=60)
    quality: Literal["360p", "480p", "720p", "1080p", "1440p"] = "720p"


class HlsSettings(Part):
    """HLSSettingsRequest."""

    enabled: bool = True
    auto_on: bool = False
    quality_tracks: list[Annotated[Quality, Field(strict=False)]] = Field(
        default_factory=lambda: [Quality.P720], min_length=1, max_length=3
    )
    layout: LayoutSettings | None = None

    _layout = field_validator("layout")(_documented_layout)


class RtmpSettings(Part):
    """RTMPSettingsRequest."""

    enabled: bool = True
    quality: Quality = Field(default=Quality.P720, strict=False)
    layout: LayoutSettings | None = None

    _layout = field_validator("layout")(_documented_layout)


class BroadcastSettings(Part):
    """BroadcastSettingsRequest."""

    enabled: bool = True
    hls: HlsSettings = HlsSettings()
    rtmp: RtmpSettings = RtmpSettings()


def _spoken(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"'{value[:20]}' is not allowed; allowed are {', '.join(LANGUAGES)}")
    return value


def _target(value: str) -> str:
    if value == "auto":
        raise ValueError("'auto' is not allowed here: name the language into which is translated")
    return _spoken(value)


Language = Annotated[str, AfterValidator(_spoken), WithJsonSchema({"type": "string", "enum": list(LANGUAGES)})]
"""What is spoken; ``auto`` finds out."""
TargetLanguage = Annotated[str, AfterValidator(_target), WithJsonSchema({"type": "string", "enum": LANGUAGES[1:]})]


class SpeechSegmentConfig(Part):
    """How speech is cut into captions."""

    silence_duration_ms: int | None = Field(default=None, ge=300, le=2000)
    """Silence that ends a caption; null is 700."""
    max_speech_caption_ms: int | None = Field(default=None, ge=5000, le=10_000)
    """The longest caption while somebody speaks on; null is 9000."""


class TranslationSettings(Part):
    """Into which languages captions and transcripts are translated."""

    enabled: bool = False
    languages: list[TargetLanguage] = Field(default_factory=list, max_length=40)


class TranscriptionSettings(Part):
    """TranscriptionSettingsRequest."""

    mode: Mode = "available"
    """``auto-on`` starts with the first participant and stops when all have gone; ``disabled`` refuses every start."""
    closed_caption_mode: Mode = "available"
    """The same for closed captions."""
    language: Language = "en"
    """What is spoken; ``auto`` finds out. A change reaches what runs."""
    speech_segment_config: SpeechSegmentConfig | None = None
    translation: TranslationSettings | None = None


class ThumbnailsSettings(Part):
    enabled: bool = True


class SessionSettings(Part):
    inactivity_timeout_seconds: int = Field(default=30, ge=5, le=900)
    """Seconds after the last participant has gone at which everything that runs is stopped."""


class LimitsSettings(Part):
    max_duration_seconds: int | None = Field(default=None, ge=0)
    """Seconds from the first join after which the session ends; 0 and null are no limit."""
    max_participants: int | None = Field(default=None, ge=0)
    max_participants_exclude_owner: bool = False
    max_participants_exclude_roles: list[str] = Field(default_factory=list, max_length=100)


class NoiseCancellationSettings(Part):
    mode: Mode = "available"


class AudioSettings(Part):
    access_request_enabled: bool = True
    default_device: Literal["speaker", "earpiece"] = "earpiece"
    hifi_audio_enabled: bool = False
    mic_default_on: bool = True
    noise_cancellation: NoiseCancellationSettings | None = None
    opus_dtx_enabled: bool = True
    redundant_coding_enabled: bool = True
    speaker_default_on: bool = True


class BackstageSettings(Part):
    enabled: bool = False
    join_ahead_time_seconds: int | None = Field(default=None, ge=0)


class TargetResolution(Part):
    width: int = Field(default=2560, ge=240, le=3840)
    height: int = Field(default=1440, ge=240, le=3840)
    bitrate: int = Field(default=5_000_000, ge=0, le=6_000_000)
    """Bits per second."""


class VideoSettings(Part):
    access_request_enabled: bool = True
    camera_default_on: bool = True
    camera_facing: Literal["front", "back", "external"] = "front"
    enabled: bool = True
    target_resolution: TargetResolution | None = TargetResolution()


class ScreensharingSettings(Part):
    access_request_enabled: bool = True
    enabled: bool = True
    target_resolution: TargetResolution | None = None


class GeofenceSettings(Part):
    names: list[str] = Field(default_factory=list, max_length=100)


class IngressAudioEncodingOptions(Part):
    bitrate: int = Field(default=64_000, ge=16_000, le=128_000)
    """Bits per second."""
    channels: Literal[1, 2] = 2
    enable_dtx: bool = False


class IngressSettings(Part):
    enabled: bool = True
    audio_encoding_options: IngressAudioEncodingOptions | None = None
    video_encoding_options: dict[str, Any] | None = None


class RingSettings(Part):
    """Milliseconds; 0 is what call types have that do not ring."""

    auto_cancel_timeout_ms: int = 15_000
    incoming_call_timeout_ms: int = 15_000
    missed_call_timeout_ms: int = 15_000

    @field_validator("auto_cancel_timeout_ms", "incoming_call_timeout_ms", "missed_call_timeout_ms")
    @classmethod
    def _in_range(cls, value: int) -> int:
        if value != 0 and not 5_000 <= value <= 180_000:
            raise ValueError(f"{value} is not allowed; allowed are 5000 to 180000, and 0")
        return value


class CallSettings(Part):
    """CallSettingsRequest. Any part of it may be said; what is not said stays as it was."""

    audio: AudioSettings = AudioSettings()
    backstage: BackstageSettings = BackstageSettings()
    broadcasting: BroadcastSettings = BroadcastSettings()
    frame_recording: FrameRecordingSettings = FrameRecordingSettings()
    geofencing: GeofenceSettings = GeofenceSettings()
    individual_recording: IndividualRecordingSettings = IndividualRecordingSettings()
    ingress: IngressSettings | None = None
    limits: LimitsSettings = LimitsSettings()
    raw_recording: RawRecordingSettings = RawRecordingSettings()
    recording: RecordSettings = RecordSettings()
    ring: RingSettings = RingSettings()
    screensharing: ScreensharingSettings = ScreensharingSettings()
    session: SessionSettings = SessionSettings()
    thumbnails: ThumbnailsSettings = ThumbnailsSettings()
    transcription: TranscriptionSettings = TranscriptionSettings()
    video: VideoSettings = VideoSettings()

    def said(self) -> dict[str, Any]:
        """What was said of it and nothing else, as JSON has it."""
        return self.model_dump(mode="json", exclude_unset=True)
