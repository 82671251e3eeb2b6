enum PrimitivesModule {}
