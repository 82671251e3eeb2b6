enum RegularExpressionsModule {}
