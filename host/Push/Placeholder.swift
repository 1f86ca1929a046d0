enum PushModule {}
