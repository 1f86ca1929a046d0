enum EnclaveVaultModule {}
