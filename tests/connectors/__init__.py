"""The battery: one set of scenarios that every connector passes, each against a real server with exact guests.

A connector joins with one *site* (:mod:`tests.connectors.site`): a module here that starts the server and lets guests
act, and a line in :data:`tests.connectors.sites.SITES`. It is done when the battery passes. The scenarios are the same
for all. What a connector declares (:class:`egress.call.connector.Abilities`) is asked of it, and nothing else.

Most is asserted of one call (:mod:`tests.connectors.call`) in which seven guests act at the same time.
"""
