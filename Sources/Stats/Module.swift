enum StatsModule {}
