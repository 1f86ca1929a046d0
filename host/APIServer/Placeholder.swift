enum APIServerModule {}
