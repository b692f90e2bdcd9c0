set(FETTLE_PLUGIN_PKGS netsnmp libcrypto)
# The library keeps state for the life of the process (security modules, callbacks), so neither it nor the plugin is ever unloaded.
set(FETTLE_PLUGIN_LIBS -Wl,-z,nodelete)
