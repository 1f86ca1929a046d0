enum JobWorkerModule {}
