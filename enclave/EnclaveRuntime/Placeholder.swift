enum EnclaveRuntimeModule {}
