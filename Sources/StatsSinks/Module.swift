enum StatsSinksModule {}
