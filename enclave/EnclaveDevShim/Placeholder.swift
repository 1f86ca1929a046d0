enum EnclaveDevShimModule {}
