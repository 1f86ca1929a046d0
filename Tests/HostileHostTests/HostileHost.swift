import Testing

/// The host is the attacker: it has valid keys, owns every row, and lies. One enclave stands against all of it.
@Suite(.serialized, .stage("hostile")) enum HostileHost {}

/// The same against an enclave whose sessions live for two seconds.
@Suite(.serialized, .stage("short-lived", ["TEE_ATTESTATION_MAX_AGE_SECONDS": "2"])) enum ShortLivedSessions {}
