"""The plan of a batch.

In: a configuration and a manifest. Out: where every file lies, which scenarios form a job, the
fingerprint of each; and all that is wrong with the files that they name. Light, as every job parses
it again.
"""
