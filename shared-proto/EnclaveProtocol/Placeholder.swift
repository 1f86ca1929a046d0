enum EnclaveProtocolModule {}
