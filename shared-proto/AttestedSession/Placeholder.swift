enum AttestedSessionModule {}
