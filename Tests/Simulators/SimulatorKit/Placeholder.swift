enum SimulatorKitModule {}
