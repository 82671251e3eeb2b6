enum StatsSinksTestsModule {}
