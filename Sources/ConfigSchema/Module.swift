enum ConfigSchemaModule {}
