enum AttestationVerifierModule {}
