enum FormatModule {}
