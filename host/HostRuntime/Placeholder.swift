enum HostRuntimeModule {}
