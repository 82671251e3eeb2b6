enum ConfigLoaderModule {}
