enum ConfigCompilerModule {}
