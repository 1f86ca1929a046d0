enum HostStorageModule {}
