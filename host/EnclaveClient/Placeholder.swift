enum EnclaveClientModule {}
