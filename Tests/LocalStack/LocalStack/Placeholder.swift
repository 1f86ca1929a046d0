enum LocalStackModule {}
