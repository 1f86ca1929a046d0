enum SodiumModule {}
