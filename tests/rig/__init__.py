"""The rig: makes calls whose every picture and sound is known, and judges recordings of them.

- :mod:`~tests.rig.janus`, :mod:`~tests.rig.livekit`: real SFUs (:mod:`~tests.rig.sfu`), each in a network namespace of
  its own (:mod:`~tests.rig.namespace`); :mod:`~tests.rig.required` says what happens to tests where one cannot be had.
- :mod:`~tests.rig.guests`: exact guests in their own process (:mod:`~tests.rig.guest_process`), scripted or told what
  to do; :mod:`~tests.rig.guest` is what they do alike, :mod:`~tests.rig.janus_guest` and
  :mod:`~tests.rig.livekit_guest` their signalling, :mod:`~tests.rig.exact` their media, for any aiortc peer, with
  :mod:`~tests.rig.layers` for simulcast.
- :mod:`~tests.rig.chromium`, :mod:`~tests.rig.livekit_chromium`: guests in real browsers.
- :mod:`~tests.rig.subscriber`, :mod:`~tests.rig.livekit_subscriber`: who sees that guests arrive, without the product.
- :mod:`~tests.rig.picture`, :mod:`~tests.rig.sound`: what a guest looks and sounds like, for those who make it and
  those who read it; :mod:`~tests.rig.loops` has it encoded, :mod:`~tests.rig.clocks` says when.
- :mod:`~tests.rig.judge`: what is in a produced file; :mod:`~tests.rig.synthetic` makes files to judge the judge by.
- :mod:`~tests.rig.trouble`: loss, jitter and dead networks for whoever receives;
  :mod:`~tests.rig.troubled_attend` runs an attendant under them.
- :mod:`~tests.rig.spoken`: what guests say when; :mod:`~tests.rig.engines` finds and kills who makes text of it.
- :mod:`~tests.rig.door`: a door before a server, at which connections can be cut.
"""
